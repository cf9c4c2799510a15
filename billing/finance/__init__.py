"""What the company's bookkeeping needs of a month, as a signed package of tables."""
