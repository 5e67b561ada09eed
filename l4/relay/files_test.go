package relay_test

const fillEnv = "PORTICO_L4_FILL"

func fillFiles() {}
