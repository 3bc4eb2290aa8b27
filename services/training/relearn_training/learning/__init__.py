"""What happens inside a child process: data, model, fitting, evaluation, export. Only here is torch imported."""
