"""What travels over the wire and lies in the store: the service's resources under the service's names."""
