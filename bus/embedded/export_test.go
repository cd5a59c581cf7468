package embedded

// CloseStore closes the store as the server does it after a failed write.
func (s *Server) CloseStore() error { return s.nats.ShutdownJetStream() }
