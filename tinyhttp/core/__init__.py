"""Pure: octets and values in, values out. Where the RFCs are; start at `answer`."""
