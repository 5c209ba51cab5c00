import HTTP
import JSON

/// Reads a simulator's own ledger and counters: what the proof is made of.
final class SimulatorClient: Sendable {
    let base: String
    private let http = HTTPClient(name: "tb-harness")

    init(base: String) { self.base = base }

    func get(_ path: String) async throws -> JSON {
        let request = HTTPRequest(
            method: .get, url: base + path, headers: [("Accept", "application/json")], timeout: .seconds(60),
            maxResponseBytes: 256 << 20)
        guard case .answered(let response) = await http.send(request), response.status == 200 else {
            throw HarnessError("\(base)\(path) does not answer")
        }
        return try JSON(parsing: response.body, limits: JSONLimits(maxBytes: 256 << 20))
    }

    func post(_ path: String, _ body: String) async throws {
        let request = HTTPRequest(
            method: .post, url: base + path, headers: [("Content-Type", "application/json")], body: Array(body.utf8))
        guard case .answered(let response) = await http.send(request), (200..<300).contains(response.status) else {
            throw HarnessError("\(base)\(path) does not take \(body)")
        }
    }

    func delete(_ path: String) async throws {
        guard case .answered(let response) = await http.send(HTTPRequest(method: .delete, url: base + path)),
            (200..<300).contains(response.status)
        else { throw HarnessError("\(base)\(path) cannot be deleted") }
    }

    /// The status alone; nil where nobody answers.
    func status(_ path: String) async -> Int? {
        guard case .answered(let response) = await http.send(HTTPRequest(method: .get, url: base + path))
        else { return nil }
        return response.status
    }

    /// The body, whatever the status; nil where nobody answers.
    func text(_ path: String) async -> String? {
        guard case .answered(let response) = await http.send(HTTPRequest(method: .get, url: base + path))
        else { return nil }
        return String(decoding: response.body, as: UTF8.self)
    }

    func close() async { await http.close() }
}

/// An amount in cents, read from digits with two decimals: the harness shares no money code with the fleet.
struct Cents: Sendable, Hashable {
    var value: Int64

    init(_ value: Int64 = 0) { self.value = value }

    init?(_ text: String?) {
        guard var text = text?[...] else { return nil }
        let isNegative = text.first == "-"
        if isNegative { text.removeFirst() }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = Int64(parts[0]), parts.count == 1 || parts[1].utf8.count == 2,
            let fraction = parts.count == 1 ? 0 : Int64(parts[1])
        else { return nil }
        value = (whole * 100 + fraction) * (isNegative ? -1 : 1)
    }

    static func + (a: Cents, b: Cents) -> Cents { Cents(a.value + b.value) }
    static func - (a: Cents, b: Cents) -> Cents { Cents(a.value - b.value) }

    /// `-1,234.50`
    var text: String {
        var whole = String(value.magnitude / 100)
        var groups: [String] = []
        while whole.utf8.count > 3 {
            groups.insert(String(whole.suffix(3)), at: 0)
            whole = String(whole.dropLast(3))
        }
        let fraction = value.magnitude % 100
        return (value < 0 ? "-" : "") + ([whole] + groups).joined(separator: ",")
            + (fraction < 10 ? ".0" : ".") + "\(fraction)"
    }
}
