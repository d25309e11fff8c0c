"""Pages of venues, devices, groups, rollouts, what was shown, and alerts."""

ADDRESSES = [
    "/studio/venues/",
    "/studio/venues/?state=trouble&words=x",
    "/studio/venues/?view=venues",
    "/studio/venues/new",
    "/studio/venues/{venue}/",
    "/studio/venues/{venue}/new-device",
    "/studio/devices/{device}/",
    "/studio/groups/",
    "/studio/groups/new",
    "/studio/groups/{group}/?venue={venue}",
    "/studio/packages/{package}/rollout",
    "/studio/packages/{package}/rollout?channel=preview",
    "/studio/plays/",
    "/studio/alerts/",
    "/studio/alerts/?past=1",
    "/studio/alerts/subscriptions/new",
    "/studio/alerts/subscriptions/{subscription}/",
]
