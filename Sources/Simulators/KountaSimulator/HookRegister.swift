import JSON

/// A hook to be sent: signed and posted once, as the service does.
package struct HookDelivery: Sendable {
    package let topic: String
    let hook: HookRegister.Hook
    let secret: String
    package let body: [UInt8]
    package var address: String { hook.address }

    /// HMAC-SHA256 of the body in lower-case hex: `X-Kounta-Signature`.
    package var signature: String { SHA256.authenticationCode(of: body, key: Array(secret.utf8)) }
}

/// The registered webhooks.
struct HookRegister: Sendable {
    struct Hook: Sendable {
        let id: Int64
        let company: Int64
        let topic: String
        let address: String
        /// Empty: all venues.
        let sites: Set<Int64>
        let headers: [(name: String, value: String)]
        let secret: String
        let createdAt: Int64
    }

    private(set) var hooks: [Hook] = []
    private var serial: Int64 = 536
    var isEmpty: Bool { hooks.isEmpty }

    func listening(to topic: String, company: Int64, site: Int64) -> [Hook] {
        hooks.filter { hook in
            hook.topic == topic && hook.company == company && (hook.sites.isEmpty || hook.sites.contains(site))
        }
    }

    mutating func remove(_ id: Int64) { hooks.removeAll { $0.id == id } }

    mutating func register(_ order: JSON, company: Int64, secret: String, now: Int64) throws -> Hook {
        guard let topic = order["topic"]?.string else { throw RecordProblem(description: "topic is missing") }
        guard let address = order["address"]?.string, address.hasPrefix("http") else {
            throw RecordProblem(description: "address is missing or no URL")
        }
        serial += 1
        let hook = Hook(
            id: serial, company: company, topic: topic, address: address,
            sites: Set((order["filter"]?["site_ids"]?.elements ?? []).compactMap(\.integer)),
            headers: (order["headers"]?.members ?? []).map { ($0.key, $0.value.string ?? "") },
            secret: secret, createdAt: now)
        hooks.append(hook)
        return hook
    }
}

extension HookRegister.Hook {
    func write(_ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("id", id)
            writer.field("topic", topic)
            writer.field("address", address)
            writer.field("format", "json")
            for name in ["created_at", "updated_at"] as [StaticString] {
                writer.key(name)
                writer.time(createdAt)
            }
            writer.key("filter")
            writer.object { writer in
                guard !sites.isEmpty else { return }
                writer.key("site_ids")
                writer.array { writer in for site in sites.sorted() { writer.number(site) } }
            }
            writer.key("headers")
            writer.object { writer in
                for (name, value) in headers {
                    writer.key(dynamic: name)
                    writer.string(value)
                }
            }
        }
    }
}
