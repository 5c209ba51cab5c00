// Why this exists: librabbitmq ships no module map; one header gathers the parts the AMQP room uses.
#ifndef TILLBRIDGE_CRABBITMQ_SHIM_H
#define TILLBRIDGE_CRABBITMQ_SHIM_H

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <amqp_ssl_socket.h>

#endif
