#include "layout/board.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace fota::layout {
namespace {

constexpr std::string_view nrf9160dk_dts = R"(
/ { soc { peripheral@40000000 { spi3: arduino_spi: spi@b000 { compatible = "nordic,nrf-spim"; status = "okay";
    cs-gpios = <&gpio0 10 1>, <&gpio0 25 1>;
    mx25r64: mx25r6435f@1 { compatible = "jedec,spi-nor"; reg = <1>; status = "disabled"; spi-max-frequency = <8000000>;
        jedec-id = [c2 28 17]; size = <67108864>; has-dpd; t-enter-dpd = <10000>; t-exit-dpd = <35000>; }; }; }; }; };
)";
constexpr std::string_view gd25wb256_dts = R"(
/ { soc { peripheral@40000000 { spi3: spi@b000 { compatible = "nordic,nrf-spim"; status = "okay";
    cs-gpios = <&gpio0 10 1>, <&gpio0 20 1>;
    gd25wb256: gd25wb256e3ir@1 { compatible = "jedec,spi-nor"; reg = <1>; status = "disabled";
        jedec-id = [c8 65 19]; size = <268435456>; has-dpd; t-enter-dpd = <3000>; t-exit-dpd = <40000>; }; }; }; }; };
)";
constexpr std::string_view thingy91x_dts = R"(
/ { chosen { nordic,pm-ext-flash = &flash_ext; };
  soc { peripheral@40000000 { spi3: spi@b000 { compatible = "nordic,nrf-spim"; status = "okay";
    cs-gpios = <&gpio0 12 1>, <&gpio0 17 1>, <&gpio0 10 1>;
    flash_ext: gd25le255e@0 { compatible = "jedec,spi-nor"; reg = <0>; status = "okay";
        jedec-id = [c8 60 19]; size = <268435456>; has-dpd; t-enter-dpd = <3000>; t-exit-dpd = <40000>; }; }; }; }; };
)";
constexpr std::string_view feather_dts = R"(
/ { soc { peripheral@40000000 { spi3: spi@b000 { compatible = "nordic,nrf-spim"; status = "okay";
    cs-gpios = <&gpio0 7 1>;
    w25q32jv: w25q32jv@0 { compatible = "jedec,spi-nor"; reg = <0>; status = "okay"; spi-max-frequency = <40000000>;
        jedec-id = [ef 40 16]; size = <0x2000000>; wp-gpios = <&gpio0 8 1>; hold-gpios = <&gpio0 10 1>;
        has-dpd; t-enter-dpd = <3000>; t-exit-dpd = <30000>; }; }; }; }; };
)";
constexpr std::string_view nrf5340dk_dts = R"(
/ { soc { peripheral@50000000 { qspi: qspi@2b000 { compatible = "nordic,nrf-qspi"; status = "okay";
    mx25r64: mx25r6435f@0 { compatible = "nordic,qspi-nor"; reg = <0>; status = "okay"; sck-frequency = <8000000>;
        jedec-id = [c2 28 17]; size = <67108864>; has-dpd; t-enter-dpd = <10000>; t-exit-dpd = <35000>; }; }; }; }; };
)";

const std::array boards{
    Board{.name = "nrf9160dk",
          .title = "nRF9160-DK",
          .soc = "nrf9160",
          .flash_label = "mx25r64",
          .flash_name = "MX25R6435F",
          .flash_bus = "spi3",
          .flash_place = "spi3, CS P0.25",
          .max_spi_hz = 8'000'000,
          .min_exit_dpd_ns = 35'000,
          .flash_since = "0.14.0",
          .devicetree = nrf9160dk_dts},
    Board{.name = "nrf9161dk",
          .title = "nRF9161-DK",
          .soc = "nrf9161",
          .flash_label = "gd25wb256",
          .flash_name = "GD25WB256E3IR",
          .flash_bus = "spi3",
          .flash_place = "spi3, CS P0.20",
          .min_exit_dpd_ns = 40'000,
          .devicetree = gd25wb256_dts},
    Board{.name = "nrf9151dk",
          .title = "nRF9151-DK",
          .soc = "nrf9151",
          .flash_label = "gd25wb256",
          .flash_name = "GD25WB256E3IR",
          .flash_bus = "spi3",
          .flash_place = "spi3, CS P0.20",
          .min_exit_dpd_ns = 40'000,
          .devicetree = gd25wb256_dts},
    Board{.name = "thingy91",
          .title = "Thingy:91",
          .soc = "nrf9160",
          .mcuboot_conf = "CONFIG_BOOT_SWAP_USING_SCRATCH=y\nCONFIG_BOOT_MAX_IMG_SECTORS=256\nCONFIG_FPROTECT=n\n"},
    Board{.name = "thingy91x",
          .title = "Thingy:91 X",
          .soc = "nrf9151",
          .flash_label = "flash_ext",
          .flash_name = "GD25LE255E",
          .flash_bus = "spi3",
          .flash_place = "spi3, CS P0.12",
          .min_exit_dpd_ns = 40'000,
          .devicetree = thingy91x_dts,
          .mcuboot_conf = "CONFIG_BOOT_MAX_IMG_SECTORS=512\nCONFIG_SPI=y\nCONFIG_SPI_NOR=y\n"
                          "CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\nCONFIG_SPI_NOR_SFDP_DEVICETREE=y\n"
                          "CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=y\nCONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y\n"},
    Board{.name = "circuitdojo_feather",
          .title = "Circuit Dojo nRF9160 Feather",
          .soc = "nrf9160",
          .flash_label = "w25q32jv",
          .flash_name = "W25Q32JV",
          .flash_bus = "spi3",
          .flash_place = "spi3, CS P0.07",
          .max_spi_hz = 40'000'000,
          .min_exit_dpd_ns = 30'000,
          .devicetree = feather_dts,
          .mcuboot_conf = "CONFIG_MULTITHREADING=y\nCONFIG_BOOT_MAX_IMG_SECTORS=256\n"},
    Board{.name = "nrf5340dk",
          .title = "nRF5340-DK",
          .soc = "nrf5340",
          .qspi = true,
          .spu_block = 0x4000,
          .flash_label = "mx25r64",
          .flash_name = "MX25R6435F",
          .flash_bus = "qspi",
          .flash_place = "qspi",
          .min_exit_dpd_ns = 35'000,
          .devicetree = nrf5340dk_dts},
};

std::string with(std::string text, char from, char to) {
    std::ranges::replace(text, from, to);
    return text;
}

}  // namespace

const Board* find_board(std::string_view name) {
    const auto it = std::ranges::find(boards, name, &Board::name);
    return it == boards.end() ? nullptr : &*it;
}

std::vector<std::string> board_names() {
    std::vector<std::string> out;
    for (const auto& board : boards) out.emplace_back(board.name);
    return out;
}

std::string BoardTarget::stem(bool secure) const {
    auto parts = qualifiers;
    if (parts.empty() && facts != nullptr) parts = facts->soc;
    if (secure && parts.ends_with("/ns")) parts.resize(parts.size() - 3);
    return board + "_" + with(parts, '/', '_');
}

std::string BoardTarget::file_revision() const {
    if (revision.empty()) return "";
    if (facts != nullptr && !facts->flash_since.empty())  // the nRF9160-DK: 0.7.0 and 0.14.0, matched downwards
        return compare_revisions(revision, facts->flash_since).value_or(0) >= 0
                   ? with(std::string(facts->flash_since), '.', '_')
                   : "0_7_0";
    return with(revision, '.', '_');
}

std::string BoardTarget::description() const {
    std::string out(facts != nullptr ? facts->title : std::string_view(board));
    if (!revision.empty()) out += " @" + revision;
    if (!qualifiers.empty()) out += " (" + qualifiers + ")";
    return out;
}

std::optional<BoardTarget> parse_board_target(std::string_view text) {
    if (text.empty() || text.size() > 128) return std::nullopt;
    for (const char c : text)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '@' ||
              c == '/' || c == '.' || c == '-'))
            return std::nullopt;
    BoardTarget out;
    std::string rest(text);
    if (const auto at = rest.find('@'); at != std::string::npos) {
        const auto end = std::min(rest.find('/', at), rest.size());
        out.revision = with(rest.substr(at + 1, end - at - 1), '_', '.');
        rest.erase(at, end - at);
    }
    const auto slash = rest.find('/');
    out.board = rest.substr(0, slash);
    if (slash != std::string::npos) {
        out.qualifiers = rest.substr(slash + 1);
    } else if (find_board(out.board) == nullptr) {
        // The longest known name which the old underscore form begins with: nrf9160dk_nrf9160_ns, also with a revision.
        const Board* best = nullptr;
        for (const auto& board : boards)
            if (rest.starts_with(std::string(board.name) + "_") &&
                (best == nullptr || board.name.size() > best->name.size()))
                best = &board;
        if (best != nullptr) {
            auto tail = rest.substr(best->name.size() + 1);
            std::size_t digits = 0;  // "_0_14_0" at the end
            for (auto at = tail.size(); at > 0 && (tail[at - 1] == '_' || (tail[at - 1] >= '0' && tail[at - 1] <= '9'));
                 --at)
                if (tail[at - 1] == '_') digits = tail.size() - at + 1;
            if (out.revision.empty() && digits >= 6 && std::ranges::count(tail.substr(tail.size() - digits), '_') == 3)
                out.revision = with(tail.substr(tail.size() - digits + 1), '_', '.');
            if (std::ranges::count(tail.substr(tail.size() - digits), '_') == 3) tail.resize(tail.size() - digits);
            if (tail.empty() || tail == best->soc || tail == std::string(best->soc) + "_ns" || tail == "ns") {
                out.board = best->name;
                out.qualifiers = with(tail, '_', '/');
            }
        } else if (rest.ends_with("_ns")) {  // a board of one's own
            out.board = rest.substr(0, rest.size() - 3);
            out.qualifiers = "ns";
        }
    }
    if (out.board.empty()) return std::nullopt;
    out.facts = find_board(out.board);
    return out;
}

std::optional<int> compare_revisions(std::string_view a, std::string_view b) {
    const auto parse = [](std::string_view text) -> std::optional<std::array<unsigned, 3>> {
        std::array<unsigned, 3> out{};
        for (std::size_t i = 0; i < 3; ++i) {
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.at(i));
            if (error != std::errc{}) return std::nullopt;
            text.remove_prefix(static_cast<std::size_t>(end - text.data()));
            if (text.empty()) return out;
            if (text.front() != '.' && text.front() != '_') return std::nullopt;
            text.remove_prefix(1);
        }
        return text.empty() ? std::optional(out) : std::nullopt;
    };
    const auto left = parse(a);
    const auto right = parse(b);
    if (!left || !right) return std::nullopt;
    return *left < *right ? -1 : *left > *right ? 1 : 0;
}

}  // namespace fota::layout
