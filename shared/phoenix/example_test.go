package phoenix_test

import (
	"fmt"
	"log"

	"helix/shared/phoenix"
)

// A server answers a push under the refs and the topic that it came with.
func ExampleVersion_Decode() {
	m, err := phoenix.V2.Decode([]byte(`["1","2","room:lobby","shout",{"text":"hello"}]`), false)
	if err != nil {
		log.Fatal(err)
	}
	text, _ := phoenix.Field(m.Payload, "text")
	fmt.Printf("%s %s %s\n", m.Topic, m.Event, text)
	fmt.Printf("%s\n", phoenix.V2.AppendReply(nil, m.JoinRef, m.Ref, m.Topic, true, phoenix.EmptyObject))
	// Output:
	// "room:lobby" "shout" "hello"
	// ["1","2","room:lobby","phx_reply",{"response":{},"status":"ok"}]
}

// A client pushes with the same call with which a server broadcasts.
func ExampleVersion_AppendMessage() {
	topic := phoenix.Quote("room:lobby")
	fmt.Printf("%s\n", phoenix.V2.AppendMessage(nil, []byte(`"1"`), []byte(`"1"`), topic, phoenix.EventJoin, phoenix.EmptyObject))
	fmt.Printf("%s\n", phoenix.V2.AppendMessage(nil, phoenix.Null, phoenix.Null, topic, "shout", []byte(`{"text":"hello"}`)))
	// Output:
	// ["1","1","room:lobby","phx_join",{}]
	// [null,null,"room:lobby","shout",{"text":"hello"}]
}
