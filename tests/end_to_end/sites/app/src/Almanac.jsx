import release from "./release.json";

export default function Almanac() {
  return <h1>Almanac {release.year}</h1>;
}
