"""What runs for others: a DICOM node and the page (extra `serve`), and DICOMweb (no extra)."""
