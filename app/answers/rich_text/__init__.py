"""An answer's Markdown as safe HTML, with its formulas as MathML and a mark behind each sentence that was checked."""
