/// A table for the terminal: columns as wide as their widest cell, numbers to the right.
package struct Columns {
    private let heads: [String]
    private let rightAligned: Set<Int>
    private var rows: [[String]] = []

    /// Cells are cut beyond so many letters.
    private static let widthMax = 60

    package init(_ heads: [String], rightAligned: Set<Int> = []) {
        self.heads = heads
        self.rightAligned = rightAligned
    }

    package mutating func add(_ cells: [String]) { rows.append(cells) }

    package func lines() -> [String] {
        let all = ([heads] + rows).map { $0.map(Self.shown) }
        let widths = heads.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { cells in
            let line = cells.enumerated().map { column, cell in
                let blanks = String(repeating: " ", count: widths[column] - cell.count)
                return rightAligned.contains(column) ? blanks + cell : cell + blanks
            }.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// On one line, and nothing in it that a terminal would obey: names come from the till.
    private static func shown(_ cell: String) -> String {
        let plain = cell.unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
                ? " " : String(Character(scalar))
        }.joined()
        return plain.count <= widthMax ? plain : plain.prefix(widthMax - 1) + "…"
    }
}
