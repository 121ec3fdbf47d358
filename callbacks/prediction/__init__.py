"""Writing restored cubes, with a record, a quick-look and spectra beside each."""
