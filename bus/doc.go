// Package bus is a client's side of the message bus: a connection that
// survives the bus, and CloudEvents over it.
//
//	conn, err := bus.Connect(ctx, bus.Options{Name: "identity"})
//	if err != nil { … }
//	defer conn.Close()
//
//	subject, err := bus.EventSubject("local", "identity", "user.created")
//	ack, err := conn.Publish(ctx, subject, event)
//
//	feed, err := bus.FeedSubject("local", "*", ">")
//	sub, err := conn.Subscribe(feed, func(ctx context.Context, d bus.Delivery) { … })
//
// A program can start while the bus is away: the connection is made as soon as
// that is possible, and made again after every loss. Nothing is buffered in
// between: what is published while there is no connection fails at once with
// [ErrUnavailable], because a heartbeat or an event that arrives minutes late
// says something that is no longer true.
//
// Services live in an account without JetStream. They publish events to
// events.v1.… with the stream's acknowledgement, and hear what was stored on
// feed.v1.….
package bus
