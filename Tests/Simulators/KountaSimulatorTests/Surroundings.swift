import JSON
import Synchronization

@testable import KountaSimulator

/// A clock that stands still until a test moves it. Starts at 2026-11-22T09:00:00Z.
final class ManualClock: Sendable {
    static let start: Int64 = 1_795_338_000_000
    private let milliseconds = Atomic<Int64>(ManualClock.start)

    func advance(seconds: Int64) { milliseconds.add(seconds * 1_000, ordering: .sequentiallyConsistent) }
    func now() -> Int64 { milliseconds.load(ordering: .sequentiallyConsistent) }
}

/// A service without a socket, and a caller with the id and secret `a:b`.
struct Desk {
    let model: KountaModel
    let clock = ManualClock()

    init(_ change: (inout KountaSettings) -> Void = { _ in }) async throws {
        var settings = KountaSettings()
        settings.limits = .off
        change(&settings)
        let clock = clock
        model = try await KountaModel(settings: settings, clock: { clock.now() })
    }

    static let basic = "Basic YTpi"

    func call(
        _ method: String, _ target: String, body: String = "", authorization: String? = Desk.basic,
        headers: [String: String] = [:]
    ) async -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1)
        var call = Call(method: method, path: String(parts[0]))
        call.query = parts.count > 1 ? FormText.pairs(String(parts[1])) : []
        call.headers = headers
        call.headers["authorization"] = authorization
        if call.headers["content-type"] == nil { call.headers["content-type"] = "application/json" }
        call.body = Array(body.utf8)
        call.origin = "http://till.test"
        return await model.answer(call)
    }

    func get(_ target: String) async throws -> JSON {
        let answer = await call("GET", target)
        guard answer.status == 200 else { throw UnexpectedAnswer(status: answer.status, target: target) }
        return try JSON(parsing: answer.body)
    }

    /// All rows of a list, page by page as the answers lead.
    func rows(_ target: String) async throws -> (rows: [JSON], pages: [Int]) {
        var rows: [JSON] = []
        var pages: [Int] = []
        var next: String? = target
        while let target = next {
            let answer = await call("GET", target)
            guard answer.status == 200 else { throw UnexpectedAnswer(status: answer.status, target: target) }
            let page = try JSON(parsing: answer.body).elements
            rows += page
            pages.append(page.count)
            next = answer["x-next-page"].map { String($0.dropFirst("http://till.test".count)) }
        }
        return (rows, pages)
    }
}

struct UnexpectedAnswer: Error {
    let status: Int
    let target: String
}

extension Answer {
    subscript(name: String) -> String? { headers.first { $0.name.lowercased() == name }?.value }
}

/// The tests' own arithmetic, apart from the simulator's: ten-thousandths, from the digits of the record.
extension JSON {
    var scaled: Int {
        get throws {
            guard let text = numberText ?? string else { throw NoAmount() }
            let isNegative = text.hasPrefix("-")
            let parts = text.drop { $0 == "-" }.split(separator: ".")
            guard let whole = Int(parts[0]) else { throw NoAmount() }
            let digits = parts.count > 1 ? String(parts[1]) : ""
            guard digits.count <= 4, let fraction = Int(digits + String(repeating: "0", count: 4 - digits.count))
            else { throw NoAmount() }
            return (isNegative ? -1 : 1) * (whole * 10_000 + fraction)
        }
    }
}

struct NoAmount: Error {}
