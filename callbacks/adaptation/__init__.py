"""HIR-ALIGN's stages: proxies, synthesised or generated scenes, rounds of them, and the store that keeps them."""
