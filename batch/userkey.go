package batch

// DeviceKey returns what two spellings of one device's ids have in common.
func DeviceKey(userID, deviceID string) string {
	return string(append(append(AppendUserKey(nil, userID), 0), deviceID...))
}

// AppendUserKey appends to dst what two spellings of one user id have in
// common: a UUID is written in either case, with dashes or without.
func AppendUserKey(dst []byte, userID string) []byte {
	for i := range len(userID) {
		switch b := userID[i]; {
		case b == '-':
		case 'A' <= b && b <= 'Z':
			dst = append(dst, b+'a'-'A')
		default:
			dst = append(dst, b)
		}
	}
	return dst
}
