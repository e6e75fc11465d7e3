"""The DICOM node: receives studies, measures them, and sends the results to a PACS.

`receive` puts every object into the `store`, a durable queue on disk, before it says Success.
Whatever happens afterwards starts from the store: a node that is killed goes on where it was.
"""
