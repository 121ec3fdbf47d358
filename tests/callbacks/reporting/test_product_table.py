"""The table of products without truth: every pair, the means, each pair once."""

from pathlib import Path

from callbacks.reporting.product_table import gathered_products, product_row, write_products


def test_every_product_and_the_means(tmp_path: Path) -> None:
    rows = [
        product_row("full_size", name, "GSA", {"d_lambda": low, "d_s": 2 * low, "qnr": 1 - low})
        for name, low in (("b", 0.3), ("a", 0.1), ("b", 0.3))
    ]
    write_products(tmp_path, gathered_products(rows))
    assert (tmp_path / "products.csv").read_text().splitlines() == [
        "test_set,scene,model,d_lambda,d_s,qnr",
        "full_size,a,GSA,0.1,0.2,0.9",
        "full_size,b,GSA,0.3,0.6,0.7",
    ]
    text = (tmp_path / "products.md").read_text()
    assert "| full_size | **mean** | GSA | 0.2000 | 0.4000 | 0.8000 |" in text
    assert "QNR = (1 - D_lambda) (1 - D_S)" in text


def test_nothing_is_written_without_products(tmp_path: Path) -> None:
    write_products(tmp_path, [])
    assert list(tmp_path.iterdir()) == []
