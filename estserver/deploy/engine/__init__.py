"""How steps are planned and carried out. The engine knows no AWS resource by name."""
