import JSON

/// Failures a test orders: the next calls that match are answered wrongly, late or not at all.
struct FaultList: Sendable {
    struct Fault: Sendable {
        enum Drop: Sendable { case before, after }

        var method: String?
        /// With or without the leading `/v1`.
        var pathPrefix = ""
        var status: Int?
        var body: [UInt8] = []
        var headers: [(name: String, value: String)] = []
        var delayMilliseconds = 0
        var drop: Drop?
        /// Nil: until it is taken away.
        var remaining: Int?
        /// Of a million matching calls so many fail.
        var perMillion = 1_000_000
    }

    private var faults: [Fault] = []
    private var numbers: SeededNumbers

    init(seed: UInt64) { numbers = SeededNumbers(seed: seed, stream: 0xFA17) }

    var count: Int { faults.count }
    mutating func add(_ fault: Fault) { faults.append(fault) }
    mutating func clear() { faults.removeAll() }

    /// The first fault that hits this call; it is used up by one.
    mutating func hit(method: String, path: String) -> Fault? {
        for index in faults.indices {
            let fault = faults[index]
            guard fault.remaining != 0, fault.method == nil || fault.method == method,
                path.hasPrefix(fault.pathPrefix) || path.hasPrefix("/v1" + fault.pathPrefix)
            else { continue }
            if fault.perMillion < 1_000_000, numbers.below(1_000_000) >= fault.perMillion { continue }
            if let remaining = fault.remaining { faults[index].remaining = remaining - 1 }
            return fault
        }
        return nil
    }
}

extension FaultList.Fault {
    /// Reads `{match: {method?, path?}, action: {status?, body?, headers?, delayMs?, drop?}, count?, share?}`.
    init(_ order: JSON) throws {
        let match = order["match"]
        method = match?["method"]?.string?.uppercased()
        pathPrefix = (match?["path"] ?? match?["prefix"] ?? match?["pathPrefix"])?.string ?? ""
        guard let action = order["action"] else { throw RecordProblem(description: "a fault needs an action") }
        status = action["status"]?.integer.map { Int($0) }
        if let body = action["body"] { self.body = body.string.map { Array($0.utf8) } ?? Array(body.raw) }
        for header in action["headers"]?.members ?? [] { headers.append((header.key, header.value.string ?? "")) }
        delayMilliseconds = Int(action["delayMs"]?.integer ?? 0)
        switch action["drop"]?.string {
        case "before": drop = .before
        case "after": drop = .after
        case nil: break
        case let other?: throw RecordProblem(description: "drop is \"before\" or \"after\", not \"\(other)\"")
        }
        guard status != nil || drop != nil || delayMilliseconds > 0 else {
            throw RecordProblem(description: "a fault needs a status, a delay or a drop")
        }
        remaining = order["count"]?.integer.map { Int($0) }
        if let share = order["share"] {
            guard let value = Amounts.tenThousandths(share.raw), (0...10_000).contains(value) else {
                throw RecordProblem(description: "share is a number from 0 to 1 with up to four decimals")
            }
            perMillion = Int(value) * 100
        }
    }
}
