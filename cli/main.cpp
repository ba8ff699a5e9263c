#include "cli/program.hpp"

int main(int argc, char** argv) {
    fota::cli::Program program;
    return program.main(argc, argv);
}
