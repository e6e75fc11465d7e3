"""What is scanned: where which tissue lies in each plane, and how it echoes.

`tissue` lays tissue in the frame of a body; `uterus` is what surrounds every plane; `head`,
`abdomen` and `femur` lay the fetus.
"""
