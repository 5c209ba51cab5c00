import ArgumentParser
import Bootstrap

@main enum Tillbridge {
    static func main() async { await OperatorCommand.main() }
}
