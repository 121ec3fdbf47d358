"""What files of any format say about themselves, and the limits that hold for all of them."""
