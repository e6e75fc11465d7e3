"""The structured report of an exam: DICOM TID 5000, OB-GYN Ultrasound Procedure Report.

`codes` are the terms as plain data, `identity` is whose study it is, `place` which instance a
finding was measured in, `values`, `grown` and `tree` build the content, `write` the file.
highdicom takes half a second to load: `report.dicom_out` imports this package when it is needed.
"""
