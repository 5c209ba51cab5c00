/// A value taken apart into its stored properties, each as `path = value`, in an order that no hashing disturbs.
///
/// What it is made of is asked of the value itself: a property added later is compared without being named here.
enum Canonical {
    /// - Parameter skipped: properties that are left out, by their names.
    static func lines(_ value: Any, path: String = "", besides skipped: Set<String> = []) -> [String] {
        if let text = value as? any StringProtocol { return ["\(path) = \(text)"] }
        let mirror = Mirror(reflecting: value)
        let children = Array(mirror.children)
        switch mirror.displayStyle {
        case .dictionary, .set:
            let elements = children.map { lines($0.value, besides: skipped).joined(separator: ", ") }.sorted()
            return ["\(path) = \(elements)"]
        case .collection:
            return children.isEmpty
                ? ["\(path) = []"]
                : children.enumerated().flatMap { lines($1.value, path: "\(path)[\($0)]", besides: skipped) }
        default:
            guard !children.isEmpty else { return ["\(path) = \(value)"] }
            return children.filter { !skipped.contains($0.label ?? "") }
                .flatMap { lines($0.value, path: "\(path).\($0.label ?? "")", besides: skipped) }
        }
    }
}
