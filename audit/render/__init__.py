"""A stored report -> pages that people read: `html.render(folder)`, `pdf.render(folder)`. No torch, no measuring."""
