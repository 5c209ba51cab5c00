// Why this exists: librabbitmq ships no module map; one header gathers the parts the AMQP room uses. Its login is
// variadic, which Swift cannot call, and its method numbers are macros with casts: each gets a typed form here.
#ifndef TILLBRIDGE_CRABBITMQ_SHIM_H
#define TILLBRIDGE_CRABBITMQ_SHIM_H

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <amqp_ssl_socket.h>

static inline amqp_rpc_reply_t tb_amqp_login(amqp_connection_state_t state, const char *vhost, int frame_max,
                                             int heartbeat, const amqp_table_t *properties, const char *user,
                                             const char *password) {
  return amqp_login_with_properties(state, vhost, 0, frame_max, heartbeat, properties, AMQP_SASL_METHOD_PLAIN, user,
                                    password);
}

static const uint32_t tb_basic_deliver = AMQP_BASIC_DELIVER_METHOD;
static const uint32_t tb_basic_return = AMQP_BASIC_RETURN_METHOD;
static const uint32_t tb_basic_ack = AMQP_BASIC_ACK_METHOD;
static const uint32_t tb_basic_nack = AMQP_BASIC_NACK_METHOD;
static const uint32_t tb_basic_cancel = AMQP_BASIC_CANCEL_METHOD;
static const uint32_t tb_channel_close = AMQP_CHANNEL_CLOSE_METHOD;
static const uint32_t tb_channel_close_ok = AMQP_CHANNEL_CLOSE_OK_METHOD;
static const uint32_t tb_connection_close = AMQP_CONNECTION_CLOSE_METHOD;
static const uint32_t tb_connection_close_ok = AMQP_CONNECTION_CLOSE_OK_METHOD;
static const uint32_t tb_connection_blocked = AMQP_CONNECTION_BLOCKED_METHOD;
static const uint32_t tb_connection_unblocked = AMQP_CONNECTION_UNBLOCKED_METHOD;

#endif
