"""Where first captions come from: a model that looks at pictures, and the pictures it looks at."""
