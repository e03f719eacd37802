"""Pictures changed on purpose -> what the model makes of them."""
