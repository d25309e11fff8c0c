"""What partners read: live releases by language, maps, tours, and the web player."""
