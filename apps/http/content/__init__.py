"""What a resource is: files and pages as they are found, cached and put together."""
