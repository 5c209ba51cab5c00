/// Who may import whom: `Sources/` is read from top to bottom, and imports go down only.
struct ImportRules {
    /// Module → the group it lives in.
    let groups: [String: String]

    /// Higher imports lower, and its own group. `Simulators` stand beside this order.
    private static let ranks = [
        "Executables": 5, "Composition": 4, "Workers": 3, "Services": 2, "Books": 1, "Clients": 1, "System": 0,
    ]
    /// The simulators share no money and no mapping with the fleet, so that a wrong sum cannot agree with itself.
    private static let closedToSimulators = ["Mapping", "Money", "Domain"]
    private static let groupsClosedToSimulators = ["Workers", "Composition"]

    static func imports(_ file: SwiftFile) -> [(line: Int, module: String)] {
        // `package import struct A.B`, `@testable import A`
        let declaration = #/^\s*(?:@?\w+\s+)*import\s+(?:[a-z]+\s+)?(\w+)/#
        return file.code.enumerated().compactMap { index, line in
            line.firstMatch(of: declaration).map { (index + 1, String($0.output.1)) }
        }
    }

    func broken(by file: SwiftFile) -> [String] {
        guard let (group, target) = file.room else { return [] }
        return Self.imports(file).compactMap { line, module in
            guard module != target, let other = groups[module] else { return nil }
            let place = "\(file.path):\(line): \(group)/\(target) imports \(other)/\(module)"
            if other == "System" { return group == "Clients" ? nil : "\(place), which only Clients may" }
            return isAllowed(group, other, module) ? nil : place
        }
    }

    private func isAllowed(_ group: String, _ other: String, _ module: String) -> Bool {
        if group == "Simulators" {
            return !Self.closedToSimulators.contains(module) && !Self.groupsClosedToSimulators.contains(other)
        }
        if other == "Simulators" { return group == "Executables" }
        guard let mine = Self.ranks[group], let theirs = Self.ranks[other] else { return false }
        return group == other || mine > theirs
    }
}
