"""What an operator sees and is told: alarms, their topic, a dashboard, traces, schedules."""
