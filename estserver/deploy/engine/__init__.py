"""How steps are planned and carried out. The engine imports no module of a resource."""
