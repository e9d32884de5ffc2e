"""Old runs deleted while others read and write; what they answered is inherited."""
