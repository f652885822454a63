"""One sentence of business each; they return a record of what happened."""
