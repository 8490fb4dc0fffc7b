import "../lib.js";
