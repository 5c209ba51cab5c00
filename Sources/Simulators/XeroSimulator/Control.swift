internal import JSON

/// The control API: plans faults, changes organisations, shows the ledger and the counters. No authentication, but only
/// for callers of this machine. None of its calls is limited or counted.
struct Control: Sendable {
    let state: SimulatorState
    let gate: Gate

    func answer(_ exchange: Exchange) async -> Answer {
        switch (exchange.method, exchange.path) {
        case ("POST", "/_control/faults"), ("POST", "/_control/organisations"):
            do {
                let json = try JSON(parsing: exchange.body)
                if exchange.path.hasSuffix("faults") {
                    await gate.add(try Fault(json))
                } else {
                    try await gate.change(json, now: exchange.now)
                }
                return .json { $0.field("status", "OK") }
            } catch {
                return .json(400) { $0.field("error", "\(error)") }
            }
        case ("DELETE", "/_control/faults"):
            await gate.clearFaults()
            return .json { $0.field("status", "OK") }
        case ("POST", "/_control/reset"):
            await state.reset()
            return .json { $0.field("status", "OK") }
        case ("GET", "/_control/ledger"): return await ledger(isSummary: exchange.query["summary"] == "1")
        case ("GET", "/_control/counters"): return await counters()
        default: return .notFound
        }
    }

    private func ledger(isSummary: Bool) async -> Answer {
        var parts: [[UInt8]] = []
        for organisation in await gate.all { parts.append(await organisation.ledger(summary: isSummary)) }
        return .json { writer in
            writer.key("organisations")
            writer.array { writer in for part in parts { writer.raw(part) } }
        }
    }

    private func counters() async -> Answer {
        let app = await gate.counters
        var parts: [(String, OrganisationCounters)] = []
        for organisation in await gate.all { parts.append((organisation.tenantID, await organisation.counts())) }
        let all = parts.map(\.1)
        return .json { writer in
            Self.write("calls", Self.sum(all.map(\.calls)), to: &writer)
            Self.write("refused", Self.sum(all.map(\.refused) + [app.refused]), to: &writer)
            Self.write("tokenCalls", app.tokenCalls, to: &writer)
            writer.field("mostInMinute", app.mostInMinute)
            writer.field("mostInFlight", all.map(\.mostInFlight).max() ?? 0)
            writer.field("idempotentReplays", all.reduce(0) { $0 + $1.replays })
            writer.key("organisations")
            writer.array { writer in
                for (tenant, counters) in parts {
                    writer.object { writer in
                        writer.field("tenantId", tenant)
                        Self.write("calls", counters.calls, to: &writer)
                        Self.write("refused", counters.refused, to: &writer)
                        writer.field("inFlight", counters.inFlight)
                        writer.field("mostInFlight", counters.mostInFlight)
                        writer.field("mostInMinute", counters.mostInMinute)
                        writer.field("idempotentReplays", counters.replays)
                        writer.field("idempotencyEvicted", counters.evicted)
                    }
                }
            }
        }
    }

    private static func sum(_ parts: [[String: Int]]) -> [String: Int] {
        parts.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
    }

    private static func write(_ name: StaticString, _ counts: [String: Int], to writer: inout JSONWriter) {
        writer.key(name)
        writer.object { writer in
            for (key, count) in counts.sorted(by: { $0.key < $1.key }) {
                writer.key(dynamic: key)
                writer.number(count)
            }
        }
    }
}
