#include "cli/progress_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fota::cli {

std::string progress_bar(double part, int columns) {
    static constexpr const char* eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    columns = std::max(columns, 0);
    // Nothing of nothing is not a number, which no clamp holds and no int takes.
    const auto filled = part > 0 ? static_cast<int>(std::min(part, 1.0) * columns * 8) : 0;
    std::string out;
    for (int i = 0; i < filled / 8; ++i) out += "█";
    int used = filled / 8;
    if (filled % 8 != 0) {
        out += eighths[filled % 8];
        ++used;
    }
    return out + std::string(static_cast<std::size_t>(std::max(0, columns - used)), ' ');
}

std::string clock_text(double seconds) {
    if (!(seconds >= 0) || seconds > 359'999) return "--:--";
    const auto s = static_cast<long>(seconds);
    return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                     : fmt::format("{:02}:{:02}", s / 60, s % 60);
}

}  // namespace fota::cli
