"""Records -> charts that stand in a page of any colour."""
