/// Finds which of many literals occur in a text, in one pass over the text whatever their number (the automaton of Aho
/// and Corasick). Each literal stands for the rules that need it.
struct LiteralSearch: Sendable {
    private struct Node {
        let byte: UInt8
        var firstChild: Int32 = 0
        var sibling: Int32 = 0
        /// The node of the longest end of this one's text that is a beginning too.
        var failure: Int32 = 0
        /// Position in `sets`; 0: no literal ends here.
        var found: Int32 = 0
    }

    /// Longer literals are looked for by their beginning: what holds them holds that as well.
    private static let lengthMax = 16

    /// The first is the root. Nobody's child, its place stands for "none" in the links.
    private var nodes = [Node(byte: 0)]
    private var rootChildren = [Int32](repeating: 0, count: 256)
    private var sets = [RuleSet()]

    init(_ literals: [(bytes: [UInt8], rules: RuleSet)]) {
        var own: [Int32: RuleSet] = [:]
        for literal in literals {
            var node: Int32 = 0
            for byte in literal.bytes.prefix(Self.lengthMax) { node = child(of: node, byte) ?? add(byte, below: node) }
            own[node, default: RuleSet()].formUnion(literal.rules)
        }
        link(own)
    }

    /// The rules whose literals are in `text`, which is in small letters.
    func rules(in text: SmallBytes) -> RuleSet {
        var found = RuleSet()
        var node: Int32 = 0
        for byte in text {
            while true {
                if let next = child(of: node, byte) {
                    node = next
                    break
                }
                if node == 0 { break }
                node = nodes[Int(node)].failure
            }
            let set = nodes[Int(node)].found
            if set != 0 { found.formUnion(sets[Int(set)]) }
        }
        return found
    }

    private func child(of node: Int32, _ byte: UInt8) -> Int32? {
        if node == 0 {
            let child = rootChildren[Int(byte)]
            return child == 0 ? nil : child
        }
        var child = nodes[Int(node)].firstChild
        while child != 0, nodes[Int(child)].byte != byte { child = nodes[Int(child)].sibling }
        return child == 0 ? nil : child
    }

    private mutating func add(_ byte: UInt8, below parent: Int32) -> Int32 {
        let new = Int32(nodes.count)
        nodes.append(Node(byte: byte, sibling: nodes[Int(parent)].firstChild))
        nodes[Int(parent)].firstChild = new
        if parent == 0 { rootChildren[Int(byte)] = new }
        return new
    }

    /// Breadth first: a node's failure is shorter than the node, so it is complete when it is needed.
    private mutating func link(_ own: [Int32: RuleSet]) {
        var places: [RuleSet: Int32] = [RuleSet(): 0]
        var queue: [Int32] = [0]
        var next = 0
        while next < queue.count {
            let node = queue[next]
            next += 1
            var child = nodes[Int(node)].firstChild
            while child != 0 {
                nodes[Int(child)].failure = failure(of: child, below: node)
                var set = sets[Int(nodes[Int(nodes[Int(child)].failure)].found)]
                if let own = own[child] { set.formUnion(own) }
                if places[set] == nil {
                    places[set] = Int32(sets.count)
                    sets.append(set)
                }
                nodes[Int(child)].found = places[set] ?? 0
                queue.append(child)
                child = nodes[Int(child)].sibling
            }
        }
    }

    private func failure(of child: Int32, below parent: Int32) -> Int32 {
        if parent == 0 { return 0 }
        var candidate = nodes[Int(parent)].failure
        while true {
            if let found = self.child(of: candidate, nodes[Int(child)].byte) { return found }
            if candidate == 0 { return 0 }
            candidate = nodes[Int(candidate)].failure
        }
    }
}
