package import Domain

/// The services the fleet may be connected to.
package enum ConnectedService: String, Sendable {
    case kounta
    case xero

    package var title: String {
        switch self {
        case .kounta: "Kounta"
        case .xero: "Xero"
        }
    }
}

/// Names one grant of access: `xero`, `xero/second-user`, `kounta/harbour`.
///
/// A grant of Kounta's covers one company, so it is named after the company. A grant of Xero's covers every
/// organisation that its user ticked, so it has a name of its own; most fleets have one.
package struct ConnectionName: Sendable, Hashable, CustomStringConvertible {
    package let service: ConnectedService
    package let label: String?

    package static func kounta(_ company: CompanyKey) -> ConnectionName {
        ConnectionName(service: .kounta, label: company.text)
    }

    private init(service: ConnectedService, label: String?) {
        self.service = service
        self.label = label
    }

    /// Reads `xero`, `xero/<label>` or `kounta/<company key>`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let service = ConnectedService(rawValue: parts[0]) else { return nil }
        if parts.count == 1 {
            guard service == .xero else { return nil }
            self.init(service: service, label: nil)
            return
        }
        let isPlain = parts[1].allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") }
        guard isPlain, (1...40).contains(parts[1].count) else { return nil }
        self.init(service: service, label: parts[1])
    }

    package var text: String { label.map { "\(service.rawValue)/\($0)" } ?? service.rawValue }
    package var description: String { text }

    /// What a person types to make, or make again, this connection.
    package var connectCommand: String {
        switch (service, label) {
        case (.kounta, let label): "tillbridge connect kounta \(label ?? "COMPANY")"
        case (.xero, nil): "tillbridge connect xero"
        case (.xero, let label?): "tillbridge connect xero --name \(label)"
        }
    }
}
