"""Where the world is touched: one folder a kind of thing that lies outside."""
