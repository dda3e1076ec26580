import { lazy, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter, Link, Route, Routes, useParams } from "react-router";
import "./style.css";

// A chunk of its own, which is fetched when somebody goes there.
const Almanac = lazy(() => import("./Almanac.jsx"));

function Plant() {
  return <h1>Plant {useParams().name}</h1>;
}

function App() {
  return (
    <BrowserRouter>
      <nav>
        <Link id="to-garden" to="/">Garden</Link> <Link id="to-rose" to="/plants/rose">Rose</Link>{" "}
        <Link id="to-almanac" to="/almanac">Almanac</Link>
      </nav>
      <Suspense fallback={<p>One moment</p>}>
        <Routes>
          <Route path="/" element={<h1>Garden</h1>} />
          <Route path="/plants/:name" element={<Plant />} />
          <Route path="/almanac" element={<Almanac />} />
          <Route path="*" element={<h1>Nothing grows here</h1>} />
        </Routes>
      </Suspense>
    </BrowserRouter>
  );
}

createRoot(document.getElementById("root")).render(<App />);
