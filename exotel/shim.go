package exotel

import "context"

func CheckID(id string) error                                        { return checkID("", id) }
func IsLoopback(h string) bool                                       { return loopback(h) }
func (c *Client) User(ctx context.Context, id string) (*Page, error) { return nil, nil }
