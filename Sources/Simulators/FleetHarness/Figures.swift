import Foundation

/// What was measured, by name; each run adds one value.
struct Figures {
    /// What a figure's median is held to.
    enum Goal {
        case atLeast(Double)
        case atMost(Double)

        func isMet(by value: Double) -> Bool {
            switch self {
            case .atLeast(let least): value >= least
            case .atMost(let most): value <= most
            }
        }

        var text: String {
            switch self {
            case .atLeast(let least): "at least \(Figures.text(least))"
            case .atMost(let most): "at most \(Figures.text(most))"
            }
        }
    }

    private struct Row {
        let name: String
        let unit: String
        let goal: Goal?
        var values: [Double]

        var median: Double {
            let sorted = values.sorted()
            let middle = sorted.count / 2
            return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        }
        var least: Double { values.min() ?? 0 }
        var most: Double { values.max() ?? 0 }
    }

    private var rows: [Row] = []

    /// - Parameter value: a rate, ratio, time or size. Never an amount of money.
    mutating func add(_ name: String, _ value: Double, _ unit: String, _ goal: Goal? = nil) {
        if let index = rows.firstIndex(where: { $0.name == name }) {
            rows[index].values.append(value)
        } else {
            rows.append(Row(name: name, unit: unit, goal: goal, values: [value]))
        }
    }

    fileprivate static func text(_ value: Double) -> String { String(format: value < 10 ? "%.4f" : "%.0f", value) }

    var table: [String] {
        rows.map { row in
            let name = row.name.padding(toLength: 28, withPad: " ", startingAt: 0)
            return "\(name) median \(Self.text(row.median))  min \(Self.text(row.least))  "
                + "max \(Self.text(row.most))  \(row.unit)" + (row.goal.map { ", \($0.text)" } ?? "")
        }
    }

    /// A sentence for each goal that a median does not meet, as it was measured and not as it is rounded.
    var missed: [String] {
        rows.compactMap { row in
            guard let goal = row.goal, !goal.isMet(by: row.median) else { return nil }
            return "\(row.name) is \(row.median) and should be \(goal.text)"
        }
    }

    func json(machine: String, commit: String) -> String {
        var lines = ["  \"machine\": \"\(machine)\"", "  \"commit\": \"\(commit)\""]
        lines += rows.map { row in
            "  \"\(row.name)\": {\"median\": \(Self.text(row.median)), "
                + "\"min\": \(Self.text(row.least)), \"max\": \(Self.text(row.most)), "
                + "\"unit\": \"\(row.unit)\"}"
        }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }
}
