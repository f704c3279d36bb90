"""Learning without actions: predicting what first-person video shows next."""
