"""How machines become part of the fleet: invites, and the claims that use them."""
