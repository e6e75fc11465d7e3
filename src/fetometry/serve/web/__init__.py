"""The page to look, correct and sign off, and the HTTP API that it uses.

`app` puts it together; `routes` says what is answered to what. `store` keeps what people did,
`exams` measures and applies edits, `document` says what an exam is as JSON, `security` stands
before everything.
"""
